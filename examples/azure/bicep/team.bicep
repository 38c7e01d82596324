// The namespace's identity, the key vault, the cache and its private endpoint.
param location string
param namespace string
param vaultName string
param cacheName string
param cache string
param cacheExists bool
param leaderClusterUid string
param roleIds array
param issuer string
param endpointSubnetId string
param zoneId string

// The object that may store and rotate the keys of a cache that this template manages.
var tags = leaderClusterUid == '' ? {} : { 'secureredis-leader': '${leaderClusterUid}/${namespace}/orders' }
var cacheType = cache == 'classic' ? 'Microsoft.Cache/redis' : 'Microsoft.Cache/redisEnterprise'
var cacheId = resourceId(cacheType, cacheName)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${namespace}-redis'
  location: location
}

// Issuer, subject and audience must match the token exactly.
resource federation 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = {
  parent: identity
  name: 'platform-${namespace}'
  properties: {
    issuer: issuer
    subject: 'system:serviceaccount:${namespace}:secure-redis'
    audiences: ['api://AzureADTokenExchange']
  }
}

resource roleAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for roleId in roleIds: {
    name: guid(resourceGroup().id, identity.id, roleId)
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: roleId
    }
  }
]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: vaultName
  location: location
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enablePurgeProtection: true
  }
}

resource managedRedis 'Microsoft.Cache/redisEnterprise@2025-07-01' = if (cache == 'managed') {
  name: cacheName
  location: location
  tags: tags
  sku: {
    name: 'Balanced_B5'
  }
  properties: {
    minimumTlsVersion: '1.2'
    publicNetworkAccess: 'Disabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = if (cache == 'managed') {
  parent: managedRedis
  name: 'default'
  properties: {
    accessKeysAuthentication: 'Enabled'
    clientProtocol: 'Encrypted'
    clusteringPolicy: 'NoCluster'
  }
}

resource classicRedis 'Microsoft.Cache/redis@2024-11-01' = if (cache == 'classic') {
  name: cacheName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'Standard'
      family: 'C'
      capacity: 1
    }
    enableNonSslPort: false
    minimumTlsVersion: '1.2'
    publicNetworkAccess: 'Disabled'
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = if (cacheExists) {
  name: cacheName
  location: location
  properties: {
    subnet: {
      id: endpointSubnetId
    }
    privateLinkServiceConnections: [
      {
        name: cacheName
        properties: {
          privateLinkServiceId: cacheId
          groupIds: [cache == 'classic' ? 'redisCache' : 'redisEnterprise']
        }
      }
    ]
  }
  dependsOn: [classicRedis, database]
}

resource zoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = if (cacheExists) {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: 'cache'
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}

output cacheId string = cacheId
output clientId string = identity.properties.clientId
